// RUN: descend{momentum=0.9}
// CHECK: nn.name = "momentum of w", nn.role = "state"
// CHECK-SAME: nn.name = "rate", nn.role = "setting"
// CHECK: %[[V:.*]] = nn.add %{{.*}}, %g
// CHECK: %[[N:.*]] = nn.subtract %w
// CHECK: func.return %l, %[[N]], %[[V]]
func.func @main(%w: tensor<4xf32> {nn.name = "w", nn.role = "parameter"}, %g: tensor<4xf32>, %l: tensor<f32>) -> (tensor<f32> {nn.name = "loss", nn.role = "loss"}, tensor<4xf32> {nn.name = "gradient of w", nn.role = "gradient"}) {
  func.return %l, %g : tensor<f32>, tensor<4xf32>
}
