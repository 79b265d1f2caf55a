// RUN: fold
// RESOURCE: w 40x50 fill 3
// CHECK: %[[S:.*]] = nn.constant {value = dense<-3.000000e+00> : tensor<f32>}
// CHECK-NEXT: nn.broadcast_in_dim %[[S]] {dims = [], shape = [40, 50]}
// CHECK-NEXT: func.return
func.func @main() -> tensor<40x50xf32> {
  %w = nn.constant {resource = "w", shape = [40, 50], element_type = f32} : tensor<40x50xf32>
  %n = nn.negate %w : tensor<40x50xf32>
  func.return %n : tensor<40x50xf32>
}
