// RUN: expose-parameters{frozen="b"}
// RESOURCE: w 4 random 1
// RESOURCE: b 4 fill 2
// CHECK: {nn.name = "w", nn.role = "parameter"}
// CHECK-NOT: nn.name = "b"
// CHECK: nn.constant {value = dense<2.000000e+00> : tensor<f32>, loc = "b"}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = nn.constant {resource = "w", shape = [4], element_type = f32, loc = "w"} : tensor<4xf32>
  %b = nn.constant {resource = "b", shape = [4], element_type = f32, loc = "b"} : tensor<4xf32>
  %h = nn.multiply %x, %w : tensor<4xf32>
  %y = nn.add %h, %b : tensor<4xf32>
  func.return %y : tensor<4xf32>
}
